import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnEvent } from "../../src/protocol/session.ts";
import { CommandLine } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

/** Installs a program that tells its version, signs in by a file and answers in records of its own. */
const FILE = `title: Parrot
command: [parrot, sit]
environment: { PARROT_COLOUR: green }
credentials: [PARROT_KEY]
install:
  version: "1.2"
  prints: "parrot {version}"
  files: { .parrot/settings: "quiet" }
  script: |
    mkdir -p "$HOME/.local/bin"
    cat > "$HOME/.local/bin/parrot" <<'END'
    #!/bin/bash
    case "$1" in
      --version) echo "parrot $(cat "$HOME/.parrot/version")" ;;
      sit) echo "sits, $PARROT_COLOUR, $(cat "$HOME/.parrot/settings")" ;;
      talk) on=$2; read -r text; echo "{\\"id\\":\\"c1\\"}"
        echo "{\\"say\\":\\"$text \${on:-new} \${PARROT_KEY:+key}\\"}"
        if [ "$text" = bad ]; then echo '{"end":"bad","why":"no seeds"}'; else echo '{"end":"good"}'; fi ;;
    esac
    END
    chmod 755 "$HOME/.local/bin/parrot"
    mkdir -p "$HOME/.parrot"
    echo "$1" > "$HOME/.parrot/version"
turns:
  command: [parrot, talk]
  resume: ["on={conversation}"]
  output:
    message: { where: {}, text: say }
    success: { where: { end: good } }
    failure: [{ where: { end: bad }, reason: why }]
    conversation: { id: id }
`;

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("an agent of one's own"), () => {
  let line: CommandLine;
  beforeAll(() => {
    line = new CommandLine();
  });
  afterAll(() => line.close());

  const add = (text: string, name = "parrot") => {
    const file = join(line.directory, `${name}.yaml`);
    writeFileSync(file, text);
    return line.run(["agents", "add", file]);
  };

  test("is brought by a file, listed, shown, installed and run", async () => {
    expect(await add(FILE)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("Added parrot. Run it with `cattlegrid run parrot`."),
    });
    expect((await line.run(["agents"])).stdout).toMatch(/^parrot +Parrot +1\.2 +run, chat$/m);
    expect((await line.run(["agents", "show", "parrot"])).stdout).toContain("PARROT_KEY");
    const ran = await line.run(["run", "parrot", "--rm"]);
    expect(ran).toMatchObject({ code: 0, stdout: "sits, green, quiet\n" });
    expect(ran.stderr).toContain("Installed parrot 1.2.");
  });

  test("answers prompts, goes on, takes its key, and fails with its own reason", async () => {
    const words = ["--prompt", "hello", "--prompt", "again", "--prompt", "bad"];
    const result = await line.run(
      ["chat", "parrot", "-e", "PARROT_KEY", "--output", "json", ...words],
      { environment: { PARROT_KEY: "s3cret" } },
    );
    const events = result.stdout
      .split("\n")
      .filter((text) => text !== "")
      .map((text) => JSON.parse(text) as TurnEvent);
    expect(events.filter(({ type }) => type === "turn-end")).toMatchObject([
      { outcome: "succeeded", answer: "hello new key" },
      { outcome: "succeeded", answer: "again on=c1 key" },
      { outcome: "failed", reason: "no seeds" },
    ]);
    expect(result.code).toBe(120);
  });

  test("is installed anew when its file says so, and as another version on request", async () => {
    const changed = FILE.replace('"quiet"', '"loud"');
    expect(await add(changed)).toMatchObject({ code: 0 });
    expect(await line.run(["run", "parrot", "--rm"])).toMatchObject({
      stdout: "sits, green, loud\n",
    });
    const asked = await line.run(["run", "parrot@3.1", "--rm", "--", "--version"]);
    expect(asked.stdout).toBe("parrot 3.1\n");
  });

  test("whose file is wrong is refused with place and fix, and what was there stays", async () => {
    const wrong = await add(FILE.replace("command: [parrot, sit]", "command: parrot"));
    expect(wrong.code).toBe(125);
    expect(wrong.stderr).toContain(`${line.directory}/parrot.yaml:2:1: command:`);
    expect(wrong.stderr).toContain("code: AGENT_FILE_INVALID");
    expect((await line.run(["agents"])).stdout).toContain("Parrot");
  });

  test("that another program broke is told of, and no other agent suffers", async () => {
    const agents = join(line.paths.stateDirectory, "agents");
    mkdirSync(agents, { recursive: true });
    writeFileSync(join(agents, "broken.yaml"), "title: [\n");
    const listed = await line.run(["agents"]);
    expect(listed.stderr).toContain("broken.yaml:2:1");
    expect(listed.stdout).toContain("parrot");
    const ran = await line.run(["run", "broken"]);
    expect(ran).toMatchObject({ code: 125, stderr: expect.stringContaining("AGENT_FILE_INVALID") });
  });

  test("is taken away again, and built-in ones are not", async () => {
    expect(await line.run(["agents", "rm", "parrot"])).toMatchObject({ code: 0 });
    expect(await line.run(["run", "parrot"])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("AGENT_UNKNOWN"),
    });
    expect((await line.run(["agents", "rm", "shell"])).code).toBe(125);
  });
});
