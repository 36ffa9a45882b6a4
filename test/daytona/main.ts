import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openFakeDaytona } from "../support/fake-daytona.ts";

const USAGE = `Usage: node test/daytona/main.ts [--port N] [--shell bash|zsh]

Runs the Daytona SIMULATOR on loopback. Its sandboxes are real ones of the local provider; nothing reaches Daytona.
  --port N       default: any free one
  --shell NAME   of terminals and commands; default bash
CATTLEGRID_MIRRORS and CATTLEGRID_MIRROR_CA lead its sandboxes to hosts on this machine, such as those of
\`node simulator/main.ts\`.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      shell: { type: "string", default: "bash" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const mirrors = readMirrors(process.env);
  await using daytona = await openFakeDaytona({
    port: Number(values.port),
    shell: values.shell === "zsh" ? "zsh" : "bash",
    ...(mirrors === undefined ? {} : { mirrors }),
  });
  process.stderr.write(
    "Daytona simulator (not Daytona). Ctrl+C ends it and deletes its sandboxes. In another shell:\n\n",
  );
  process.stdout.write(`export DAYTONA_API_URL='${daytona.url}'\n`);
  process.stdout.write(`export DAYTONA_API_KEY='${daytona.key}'\n`);
  await untilSignalled();
}

function readMirrors(
  environment: NodeJS.ProcessEnv,
): { targets: string; certificates: string } | undefined {
  const targets = environment["CATTLEGRID_MIRRORS"];
  if (targets === undefined) return undefined;
  const authority = environment["CATTLEGRID_MIRROR_CA"];
  return { targets, certificates: authority === undefined ? "" : readFileSync(authority, "utf8") };
}

async function untilSignalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => resolve());
    }
  });
}

await main();
