// What the applications of the peers share: the call of a step, kept alive, and a small server.
import http from "node:http";

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const echo = new URL(process.env.ECHO_URL ?? "http://127.0.0.1:1");

/** One step: the echo worker is asked with what the step before it answered. */
export function call(input, step) {
  const body = JSON.stringify({ ...input, step });
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  const asked = { hostname: echo.hostname, port: echo.port, path: "/echo", method: "POST" };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...asked, agent, headers }, (reply) => {
      const chunks = [];
      reply.on("data", (chunk) => chunks.push(chunk));
      reply.on("end", () => {
        if (reply.statusCode !== 200) reject(new Error(`step ${step}: ${reply.statusCode}`));
        else resolve(JSON.parse(Buffer.concat(chunks).toString()));
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Five steps, one after the other; `keep` makes each durable. */
export async function sequential(keep, input) {
  let answer = input;
  for (let step = 1; step <= 5; step += 1) answer = await keep(step, answer);
  return answer;
}

/** A step, three side by side (`all` waits for them), a step. */
export async function parallel(keep, all, input) {
  const first = await keep(1, input);
  const [second] = await all([2, 3, 4].map((step) => keep(step, first)));
  return keep(5, second);
}

/** Serves `{ "/path": async (body) => reply }` on PORT. */
export function serve(routes) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      const route = routes[request.url];
      if (!route) return response.writeHead(200).end("{}");
      try {
        const reply = await route(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(reply));
      } catch (error) {
        response.writeHead(500).end(String(error?.stack ?? error));
      }
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(Number(process.env.PORT), "127.0.0.1");
}
