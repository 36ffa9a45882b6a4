/** The images that are published for the Docker provider, and what is said of one that lacks something. */
import { deepEqual } from "node:assert";
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { Engine } from "../../src/sandbox/providers/docker/engine/engine.ts";
import { EngineClient } from "../../src/sandbox/providers/docker/engine/engine-client.ts";
import { findUnusual } from "../../src/sandbox/providers/docker/images/image-contents.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { answer, NEVER, SandboxYard } from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";
import { MINUTES } from "../support/requirement.ts";

/** Packages are fetched and unpacked, on a machine that may be busy. */
const FETCHING = { timeout: 600_000 };
const IMAGES = join(import.meta.dirname, "../../images");
const opened = await DockerRig.forFile();

describe.skipIf(!DOCKER.met)(DOCKER.title("an image of the Docker provider"), () => {
  let rig: DockerRig;
  let yard: SandboxYard;
  let image: string;
  beforeEach(() => {
    assert(opened !== undefined, "no engine");
    rig = opened;
    image = IMAGE;
    yard = new SandboxYard((directories) => providerOf(directories));
  });
  afterEach(async () => {
    await yard.close();
    const { containers, volumes } = await rig.count();
    deepEqual({ containers, volumes }, { containers: 0, volumes: 0 });
  });

  type Directories = Parameters<DockerRig["provider"]>[0];
  const providerOf = (directories: Directories): SandboxProvider =>
    createDockerProvider({
      ...directories,
      host: `unix://${rig.socketPath}`,
      read: async (name) => (name === "CATTLEGRID_DOCKER_IMAGE" ? image : undefined),
    });
  /** Nothing is fetched for it: no step may reach a network. */
  async function build(name: string, lines: readonly string[]): Promise<void> {
    const directory = yard.makeDirectory(`build-${name}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "Dockerfile"), `${lines.join("\n")}\n`);
    await rig.docker("build", "--network=none", "-t", name, directory);
    image = name;
  }
  const refusal = (): Promise<unknown> =>
    yard.start().then(
      () => "no refusal",
      (error: unknown) => error,
    );

  test("without a shell is refused, naming all that is missing, and nothing of it has run", async () => {
    await build("empty", ["FROM scratch", "COPY Dockerfile /"]);
    expect(await refusal()).toMatchObject({
      code: "IMAGE_UNSUITABLE",
      message:
        "The image empty has no sh, cat, mkfifo, rm, sleep and stty, without which nothing starts in a sandbox.",
      hint: expect.stringContaining("docs/providers/docker.md"),
    });
    await build("shell-only", [`FROM ${IMAGE}`, "RUN rm /usr/bin/mkfifo /usr/bin/stty"]);
    expect(await refusal()).toMatchObject({
      message: expect.stringContaining("has no mkfifo and stty,"),
    });
  });

  test("without curl, CA certificates and a user 1000 runs what needs none, and is told of as such", async () => {
    await build("bare", [
      `FROM ${IMAGE}`,
      "RUN rm -r /usr/bin/curl /etc/ssl /usr/share/ca-certificates && userdel --remove somebody",
    ]);
    const rows = await yard.provider.probe(NEVER);
    expect(rows.find(({ name }) => name === "image")).toMatchObject({
      status: "degraded",
      detail: expect.stringMatching(/ has no curl and unzip: agents that are installed with them/),
      remedy: `docker build -t cattlegrid-base ${join(IMAGES, "base")}`,
    });
    // Certificates are this machine's, with those that the sandbox is given; the user is ours.
    const sandbox = await yard.start({ certificates: rootCertificates.slice(0, 1) });
    const script = 'id -un; touch ~/f && ls ~; grep -c BEGIN "$SSL_CERT_FILE"';
    const [name, file, count] = (await answer(sandbox, script)).split("\n");
    expect([name, file]).toEqual(["agent", "f"]);
    expect(Number(count)).toBeGreaterThan(50);
  });

  /** What cannot be pulled here: the image that they begin with, which has no user 1000. */
  async function buildPublished(folder: string): Promise<readonly string[]> {
    await build("debian:stable-slim", [`FROM ${IMAGE}`, "RUN userdel --remove somebody"]);
    image = `published-${folder.replace("/", "-")}`;
    await rig.docker("build", "--network=host", "-t", image, join(IMAGES, folder));
    const engine = new Engine(new EngineClient(rig.socketPath));
    return findUnusual({ engine, image, labels: {}, signal: NEVER });
  }

  test(
    "that is published for Kiro is built as it is, and has all that Kiro and agents ask for",
    FETCHING,
    async () => {
      expect(await buildPublished("kiro")).toEqual([]);
      const script = "id -un; ldconfig -p | grep -c libasound.so.2; perl -e 'print qq(perl\\n)'";
      expect(await answer(await yard.start(), script)).toBe("agent\n1\nperl");
    },
  );

  test.skipIf(!MINUTES.met)(
    MINUTES.title("those of any agent, and the least, are built too"),
    FETCHING,
    async () => {
      expect(await buildPublished("base")).toEqual([]);
      expect(await answer(await yard.start(), "python3 -c 'print(1)'")).toBe("1");
      await buildPublished("minimal/debian");
      expect(await answer(await yard.start(), "id -un")).toBe("agent");
    },
  );
});

/** Instructions of a Dockerfile, continued lines joined. */
function instructionsOf(text: string): readonly (readonly [string, string])[] {
  const joined = text.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  return joined
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [word = "", ...rest] = line.split(" ");
      return [word, rest.join(" ")] as const;
    });
}

describe("a published Dockerfile", () => {
  const files = globSync("**/Dockerfile", { cwd: IMAGES });

  test("is there for Kiro, for any agent, and for the least of four distributions", () => {
    expect(files.toSorted()).toEqual([
      "base/Dockerfile",
      "kiro/Dockerfile",
      "minimal/alpine/Dockerfile",
      "minimal/debian/Dockerfile",
      "minimal/ubi/Dockerfile",
      "minimal/ubuntu/Dockerfile",
    ]);
  });

  test.each(files)("%s names one base, installs what is needed and nothing by a pipe", (file) => {
    const text = readFileSync(join(IMAGES, file), "utf8");
    const instructions = instructionsOf(text);
    expect(instructions.map(([word]) => word)).toEqual(["FROM", "RUN"]);
    const [from = "", run = ""] = instructions.map(([, rest]) => rest);
    expect(from).toMatch(/^[\w./-]+(:[\w.-]+)?$/);
    expect(text).toContain(`docker build -t cattlegrid-`);
    expect(text).toContain(`images/${file.replace("/Dockerfile", "")}`);
    expect(run).toMatch(/ca-certificates/);
    // UBI has it as it comes.
    expect(run.includes(" curl") || from.includes("ubi")).toBe(true);
    expect(run).toMatch(/(--uid|-u|passwd) 1000/);
    // The shell reads it, and every list of packages is dropped again.
    expect(() => execFileSync("sh", ["-n", "-c", run])).not.toThrow();
    expect(run).toMatch(/rm -rf \/var\/lib\/apt\/lists|--no-cache|clean all/);
    expect(run).not.toMatch(/curl [^&|]*\|[^|]|wget|sudo|chmod 777/);
  });
});
