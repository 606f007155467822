// The floor: the five calls of a five-step template, one after the other, and nothing kept. What an
// orchestrator takes beyond this is the price of durability.
const STEPS = 5;

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("ok");
    const { url, ...body } = await request.json();
    let answer = body;
    for (let step = 0; step < STEPS; step += 1) {
      const reply = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": `floor/${step}` },
        body: JSON.stringify({ topic: body.topic }),
      });
      answer = await reply.json();
    }
    return Response.json({ status: "completed", answer });
  },
};
