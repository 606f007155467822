// Talks to an orchestrator over HTTP, for the scripts that run and check one.

const CALL_TIMEOUT_MS = 120_000;
const POLL_INTERVAL_MS = 200;
const ENDED = new Set(["completed", "partial", "failed", "cancelled"]);

export class Client {
  constructor(url, key) {
    this.url = url.replace(/\/+$/, "");
    this.key = key;
  }

  /** One call; JSON in and out. Never throws for a status. */
  async call(method, path, { body, key = this.key } = {}) {
    const headers = { accept: "application/json" };
    if (key) headers["x-api-key"] = key;
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await fetch(this.url + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text), text };
  }

  /** Looks at an execution until it has ended; `onLook` sees each state of it. */
  async follow(pipelineId, { timeoutMs, onLook = () => {} }) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { status, body, text } = await this.call("GET", `/pipeline/${pipelineId}`);
      if (status !== 200) throw new Error(`GET /pipeline/${pipelineId}: ${status} ${text}`);
      onLook(body);
      if (ENDED.has(body.status)) return body;
      if (Date.now() > deadline) throw new Error(`${pipelineId} is still ${body.status}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }
}

export const usd = (amount) => `$${amount.toFixed(4)}`;

export const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** What a person wants to know of an error form, of a step or of a reply. */
export const reason = (error) => error?.detail ?? error?.message ?? error?.error ?? error;

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
