// What is asked of every subject that can do it. `peer` names the variant of peers that a variant
// is compared with: they reach every worker by URL.
export const VARIANTS = [
  { name: "sequential", what: "five steps, one after the other, 1 KB each", template: "five",
    shape: "sequential", steps: 5, bytes: 980, peer: "sequential" },
  { name: "parallel", what: "a step, three side by side, a step", template: "fan",
    shape: "fan", steps: 5, bytes: 980, peer: "parallel" },
  { name: "url", what: "five steps whose worker is reached by URL", template: "five_by_url",
    shape: "sequential", steps: 5, bytes: 980, by_url: true, peer: "sequential" },
  { name: "map", what: "a map over 100 elements", template: "hundred",
    shape: "map", steps: 100, bytes: 10 },
  { name: "async", what: "started without waiting; over with the fifth call",
    template: "five_by_url", shape: "sequential", steps: 5, bytes: 980, awaited: true },
  { name: "cached", what: "the same request again, answered from the cache", template: "five",
    shape: "sequential", steps: 5, bytes: 980, cached: true },
  { name: "large", what: "five steps of 256 KB each", template: "five",
    shape: "sequential", steps: 5, bytes: 256 * 1024, at_once: 4 },
  { name: "thousand", what: "1,000 steps, one after the other", template: "thousand",
    shape: "sequential", steps: 1000, bytes: 100, at_once: 4, slow: true },
];

/** Text that does not compress to nothing: the same for each subject and each run. */
export function dataOf(bytes) {
  let state = 88172645463325252n;
  let text = "";
  while (text.length < bytes) {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    text += state.toString(36);
  }
  return text.slice(0, bytes);
}
