/**
 * What a caller writes, checked by the compiler alone: every line with `@ts-expect-error` stops the
 * check where the types let a mistake pass.
 */
import { createOrchestrator, type ApiError, type Schemas } from "../src/index.ts";

const orchestrator = createOrchestrator("https://orchestrator.example", { apiKey: "a key" });

export async function start(topic: string): Promise<Schemas["OrchestrateReply"] | ApiError> {
  const { data, error } = await orchestrator.POST("/orchestrate", {
    body: { topic, optimize_for: "quality", budget_limit: 0.5, async: true },
  });
  return error ?? data;
}

export async function usage(agent: string, report: string): Promise<string> {
  const { data, error, response } = await orchestrator.POST("/api/v1/agents/{id}/usage", {
    params: { path: { id: agent } },
    body: { report_id: report, input_tokens: 10, output_tokens: 2, cost_micro_usd: 30 },
  });
  if (error) throw new Error(`${response.status} ${error.code}: ${error.error}`);
  return JSON.stringify(data);
}

export async function refused(): Promise<void> {
  // @ts-expect-error there is no such path
  await orchestrator.GET("/nowhere");
  // @ts-expect-error nor is there such an agent's field
  await orchestrator.POST("/api/v1/agents", { body: { nickname: "ada" } });
  // @ts-expect-error an agent has no such status
  const status: Schemas["AgentStatus"] = "asleep";
  // @ts-expect-error a count of tokens is a number
  const report: Schemas["UsageReport"] = { report_id: status, input_tokens: "ten" };
  // @ts-expect-error the id is missing
  await orchestrator.POST("/api/v1/agents/{id}/usage", { body: report });
}
