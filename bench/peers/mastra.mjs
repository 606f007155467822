// The pipelines as Mastra workflows, with a snapshot in SQLite after each step.
import { createRequire } from "node:module";
import { call, serve } from "./http.mjs";

const require = createRequire(`${process.env.MODULES}/`);
const { Mastra } = require("@mastra/core");
const { createStep, createWorkflow } = require("@mastra/core/workflows");
const { LibSQLStore } = require("@mastra/libsql");
const { z } = require("zod");

const any = { inputSchema: z.any(), outputSchema: z.any() };
const [s1, s2, s3, s4, s5] = [1, 2, 3, 4, 5].map((n) =>
  createStep({ id: `s${n}`, ...any, execute: async ({ inputData }) => call(inputData, n) }));
const sequential = createWorkflow({ id: "sequential", ...any })
  .then(s1).then(s2).then(s3).then(s4).then(s5).commit();
const parallel = createWorkflow({ id: "parallel", ...any })
  .then(s1).parallel([s2, s3, s4]).map(async ({ inputData }) => inputData.s2).then(s5).commit();
const storage = new LibSQLStore({ id: "bench", url: `file:${process.env.WORK}/mastra.db` });
const mastra = new Mastra({ storage, workflows: { sequential, parallel }, logger: false });

const execute = (name) => async (input) => {
  const run = await mastra.getWorkflow(name).createRun({ runId: input.run });
  const outcome = await run.start({ inputData: input });
  if (outcome.status !== "success") throw new Error(JSON.stringify(outcome).slice(0, 300));
  return outcome.result;
};
serve({ "/sequential": execute("sequential"), "/parallel": execute("parallel") });
