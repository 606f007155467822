// The worker that is called over a service binding: a body is answered with itself.
export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("ok");
    return new Response(await request.text(), { headers: { "Content-Type": "application/json" } });
  },
};
