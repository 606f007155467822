// The floor: the calls of a template, and nothing kept. What an orchestrator takes beyond this is
// the price of durability. The worker is reached by `url`, without one over the binding ECHO.
const STEPS = 5;

export default {
  async fetch(request, env) {
    if (request.method !== "POST") return new Response("ok");
    const { url, shape, steps = STEPS, ...body } = await request.json();
    const call = async (step, input) => {
      const asked = {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": `floor/${step}` },
        body: JSON.stringify({ ...input, step }),
      };
      const reply = await (url ? fetch(url, asked) : env.ECHO.fetch("https://worker/echo", asked));
      return reply.json();
    };
    let answer = body;
    if (shape === "fan") {
      answer = await call(1, answer);
      [answer] = await Promise.all([2, 3, 4].map((step) => call(step, answer)));
      answer = await call(STEPS, answer);
    } else if (shape === "map") {
      answer = await Promise.all(Array.from({ length: steps }, (_, n) => call(n, { n })));
    } else {
      for (let step = 1; step <= steps; step += 1) answer = await call(step, answer);
    }
    return Response.json({ status: "completed", answer });
  },
};
