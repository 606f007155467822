// Starts Cloudflare Workflows on its local engine: cloudflare-pipelines.mjs on workerd.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
const { Miniflare, convertV4MiniflareOptions } = createRequire(wrangler)("miniflare");
const miniflare = new Miniflare(convertV4MiniflareOptions({
  name: "pipelines", host: "127.0.0.1", port: 0, cf: false,
  resourcePersistencePath: `${process.env.WORK}/state`,
  modulesRoot: here,
  modules: [{ type: "ESModule", path: join(here, "cloudflare-pipelines.mjs") }],
  compatibilityDate: "2026-11-01",
  bindings: { ECHO_URL: process.env.ECHO_URL },
  workflows: { PIPELINES: { name: "pipelines", className: "Pipelines" } },
  unsafeDirectSockets: [{ host: "127.0.0.1", port: Number(process.env.PORT) }],
}));
await miniflare.ready;
process.on("SIGTERM", async () => {
  await miniflare.dispose();
  process.exit(0);
});
