/**
 * A client of Bitware Orchestrator. Paths, parameters, bodies and replies have the types of
 * `api.d.ts`, which is made from the server's own OpenAPI document.
 */
import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./api.d.ts";

export type { components, operations, paths } from "./api.d.ts";

/** The bodies of requests and replies, by their names in the document. */
export type Schemas = components["schemas"];

/** What every refusal says. */
export type ApiError = Schemas["ErrorReply"];

/** Who asks. Each credential that is given is sent, and each must be valid. */
export interface Credentials {
  /** The key of a client, sent as `X-API-Key`. */
  apiKey?: string;
  /** A worker's shared secret, or the access token of a person who has signed in. */
  bearer?: string;
  /** The name of the worker whose secret `bearer` is. */
  workerId?: string;
}

/** Talks to the orchestrator at `baseUrl`. */
export function createOrchestrator(
  baseUrl: string,
  credentials: Credentials = {},
  options: { fetch?: (request: Request) => Promise<Response> } = {},
): Client<paths> {
  const client = createClient<paths>({ baseUrl: baseUrl.replace(/\/+$/, ""), ...options });
  client.use(signed(credentials));
  return client;
}

function signed({ apiKey, bearer, workerId }: Credentials): Middleware {
  return {
    onRequest({ request }) {
      if (apiKey !== undefined) request.headers.set("X-API-Key", apiKey);
      if (bearer !== undefined) request.headers.set("Authorization", `Bearer ${bearer}`);
      if (workerId !== undefined) request.headers.set("X-Worker-ID", workerId);
      return request;
    },
  };
}
