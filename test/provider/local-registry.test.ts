/** Bases that are images of a registry, which runs on loopback. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { succeed } from "../../bench/peers/peer.ts";
import { openRegistry, REGISTRY, type ImageRegistry } from "../support/image-registry.ts";
import { allOf, program } from "../support/requirement.ts";
import { makeSmallBase } from "../support/small-base.ts";
import { TemplateYard } from "../support/template-yard.ts";

const needed = allOf(program("crun"), program("unshare"), REGISTRY);
const OWN = process.arch === "x64" ? "amd64" : "arm64";
const OTHER = process.arch === "x64" ? "arm64" : "amd64";

describe.skipIf(!needed.met)(needed.title("an image of a registry as a template's base"), () => {
  let directory: string;
  let registry: ImageRegistry;
  let digest: string;
  let yard: TemplateYard;
  beforeAll(async () => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-registry-")));
    await makeSmallBase(join(directory, "small"));
    registry = await openRegistry(join(directory, "registry"));
    await registry.push(await makeImage(OTHER), "team/base:other");
    digest = await registry.push(await makeImage(OWN), "team/base:1");
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  beforeEach(async () => {
    yard = await TemplateYard.open();
  });
  afterEach(() => yard[Symbol.asyncDispose]());

  async function makeImage(architecture: string): Promise<string> {
    const layout = join(directory, architecture);
    const script = `umoci init --layout "$1" && umoci new --image "$1:base" &&
      umoci insert --rootless --image "$1:base" "$2" / &&
      umoci config --image "$1:base" --architecture ${architecture} --os linux`;
    const argv = ["sh", "-ec", script, "sh", layout, join(directory, "small")];
    await succeed(argv, { cwd: directory });
    return `oci:${layout}:base`;
  }

  const base = (name: string, rest = ""): void =>
    yard.write(`base: { image: "${registry.place}/team/${name}"${rest} }`);

  async function failure(): Promise<{ code: string; hint: string; message: string }> {
    const failed = await yard.build().then(
      () => ({ code: "BUILT", hint: "", message: "" }),
      (error: unknown) => error as { code: string; hint: string; message: string },
    );
    expect([yard.kept("bases"), yard.kept("trash")]).toEqual([[], []]);
    return failed;
  }

  test("is fetched once by its tag and by its digest, and is what programs find", async () => {
    base("base:1");
    await yard.build();
    const kept = yard.kept("bases");
    expect(kept).toEqual([`image-${digest.slice("sha256:".length).slice(0, 32)}`]);
    base(`base@${digest}`);
    await yard.build();
    base("base:1", `, digest: "${digest}"`);
    expect(await yard.say("grep NAME /etc/os-release; id -un")).toBe("NAME=Small\nagent");
    expect(yard.kept("bases")).toEqual(kept);
  });

  test("is refused with another digest than the template names", async () => {
    base("base:1", `, digest: "sha256:${"0".repeat(64)}"`);
    expect((await failure()).code).toBe("BASE_CHECKSUM");
    base(`base@sha256:${"0".repeat(64)}`);
    expect(await failure()).toMatchObject({ code: "BASE_INVALID" });
  });

  test("is refused where the registry has none of that name or tag", async () => {
    base("base:absent");
    const { code, message, hint } = await failure();
    expect([code, hint]).toEqual(["BASE_INVALID", expect.stringContaining("Correct the name")]);
    expect(message).toContain(`has no image ${registry.place}/team/base:absent`);
    base("nobody:1");
    expect((await failure()).code).toBe("BASE_INVALID");
  });

  test("is refused for another kind of machine", async () => {
    base("base:other");
    expect(await failure()).toMatchObject({
      code: "BASE_UNSUITABLE",
      message: expect.stringContaining(`linux/${OTHER}`),
    });
  });

  test("is refused by a registry that wants to know who asks, with how to have it all the same", async () => {
    await using other = await openRegistry(join(directory, "private"), { isPrivate: true });
    yard.write(`base: { image: "${other.place}/team/base:1" }`);
    expect(await failure()).toMatchObject({
      code: "BASE_PRIVATE",
      hint: expect.stringContaining(`skopeo copy docker://${other.place}/team/base:1 oci:`),
    });
  });

  test("is refused by a registry that nobody vouches for, or that is not there", async () => {
    const other = await openRegistry(join(directory, "other"));
    other.distrust();
    yard.write(`base: { image: "${other.place}/team/base:1" }`);
    expect(await failure()).toMatchObject({
      code: "BASE_UNAVAILABLE",
      hint: expect.stringContaining(`/etc/containers/certs.d/${other.place}/ca.crt`),
    });
    await other.stop();
    expect(await failure()).toMatchObject({
      code: "BASE_UNAVAILABLE",
      hint: "See that the registry can be reached, then try again.",
      message: expect.stringContaining("connection refused"),
    });
  });
});
