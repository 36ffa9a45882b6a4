import { join } from "node:path";
import { tmpdir } from "node:os";
import { mkdtemp, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { startKiroCloud } from "./cloud/cloud.ts";

const USAGE = `Usage: node simulator/main.ts [--directory DIR] [--port N] [--auto]

Runs the Kiro SIMULATOR: a stand-in for Kiro's services on loopback, for tests and for trying out.
  --directory DIR   where its certificate and package are written (default: a temporary one, removed at the end)
  --port N          port of the HTTPS listener (default: any free one)
  --auto            approve every sign-in without asking
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      directory: { type: "string" },
      port: { type: "string", default: "0" },
      auto: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  await using stack = new AsyncDisposableStack();
  const directory = values.directory ?? (await mkdtemp(join(tmpdir(), "kiro-simulator-")));
  if (values.directory === undefined) {
    stack.defer(() => rm(directory, { recursive: true, force: true }));
  }
  const cloud = stack.use(
    await startKiroCloud({
      directory,
      port: Number(values.port),
      approval: values.auto ? "auto" : "manual",
    }),
  );
  cloud.events.on("pending", ({ userCode, method }) => {
    process.stderr.write(`Simulated sign-in (${method}) waits with code ${userCode}.\n`);
  });
  process.stderr.write(
    "Kiro simulator (not Kiro). Approve sign-ins, simulated, at " +
      `${cloud.approvalUrl}\nCtrl+C ends it. In another shell:\n\n`,
  );
  process.stdout.write(`export CATTLEGRID_MIRRORS='${cloud.mirrors}'\n`);
  process.stdout.write(`export CATTLEGRID_MIRROR_CA='${cloud.authorityPath}'\n`);
  await untilSignalled();
}

async function untilSignalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => resolve());
    }
  });
}

await main();
