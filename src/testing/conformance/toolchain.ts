import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProcess } from "../../platform/process.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { answer, SandboxYard, sh, type Difference, type MakeProvider } from "./sandbox-yard.ts";

const WHEEL = `
import zipfile
with zipfile.ZipFile("hay-1.0-py3-none-any.whl", "w") as z:
    z.writestr("hay.py", "def main(): print('from the wheel')\\n")
    z.writestr("hay-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: hay\\nVersion: 1.0\\n")
    z.writestr("hay-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr("hay-1.0.dist-info/entry_points.txt", "[console_scripts]\\nhay = hay:main\\n")
    z.writestr("hay-1.0.dist-info/RECORD", "")
`;

async function makeCertificate(directory: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = join(directory, "key.pem");
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const subject = ["-subj", "/CN=Cattlegrid Test Authority", "-days", "2"];
  const { stdout } = await runProcess(["openssl", "req", "-x509", "-new", "-key", key, ...subject]);
  return stdout;
}

export function describeToolchain(
  makeProvider: MakeProvider,
  differences: readonly Difference[],
): void {
  describe("toolchain", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    let path: string;
    const has = async (name: string): Promise<boolean> =>
      (await sh(sandbox, `command -v ${name}`)).code === 0;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      path = yard.makeDirectory("project");
      sandbox = await yard.start({ workspace: { path, mode: "direct" } });
    });
    afterAll(async () => yard.close());

    test("npm i -g installs into the home, and the program runs", async (context) => {
      if (!(await has("npm"))) return context.skip("npm is not part of this machine's /usr");
      mkdirSync(join(path, "hay"));
      const manifest = { name: "hay-node", version: "1.0.0", bin: { "hay-node": "main.js" } };
      writeFileSync(join(path, "hay/package.json"), JSON.stringify(manifest));
      writeFileSync(join(path, "hay/main.js"), '#!/usr/bin/env node\nconsole.log("from npm");\n');
      await answer(
        sandbox,
        "export npm_config_update_notifier=false; npm pack --silent ./hay && npm i -g --offline --no-audit ./hay-node-1.0.0.tgz",
      );
      expect(await answer(sandbox, "hay-node; command -v hay-node")).toBe(
        "from npm\n/home/agent/.npm-global/bin/hay-node",
      );
    });

    test("pip installs a wheel into the home, and its program runs", async (context) => {
      if (!(await has("/usr/bin/pip3")))
        return context.skip("pip is not part of this machine's /usr");
      writeFileSync(join(path, "wheel.py"), WHEEL);
      await answer(sandbox, "/usr/bin/python3 wheel.py && pip3 install --no-index ./hay-1.0-*.whl");
      expect(await answer(sandbox, "hay; command -v hay")).toBe(
        "from the wheel\n/home/agent/.local/bin/hay",
      );
    });

    test("a Python virtual environment takes packages too", async (context) => {
      if (!(await has("/usr/bin/pip3")))
        return context.skip("pip is not part of this machine's /usr");
      const script = `/usr/bin/python3 wheel.py && /usr/bin/python3 -m venv --without-pip venv &&
        /usr/bin/pip3 --python venv/bin/python install --no-index ./hay-1.0-*.whl && venv/bin/hay`;
      expect(await answer(sandbox, script)).toContain("from the wheel");
    });

    test("a login shell finds what was installed in the home", async () => {
      await answer(
        sandbox,
        "mkdir -p ~/.local/bin && printf '#!/bin/sh\\necho found\\n' >~/.local/bin/mine && chmod +x ~/.local/bin/mine",
      );
      expect(await answer(sandbox, "env -u PATH /bin/bash -lc mine")).toBe("found");
    });

    test("a C program is compiled and installed below /usr/local of this sandbox only", async (context) => {
      if (differences.includes("image")) context.skip("needs a /usr/local of the sandbox's own");
      if (!(await has("cc"))) return context.skip("no C compiler in this machine's /usr");
      const source = 'int puts(const char*); int main() { puts(\\"compiled\\"); }';
      const script = `echo "${source}" >/tmp/c.c && cc -o /usr/local/bin/c /tmp/c.c && c`;
      expect(await answer(sandbox, script)).toBe("compiled");
      expect((await sh(await yard.start(), "c")).code).toBe(127);
    });

    test("a toolchain is there at its path, first on PATH, and read-only", async () => {
      const tool = yard.makeDirectory("tool chain");
      mkdirSync(join(tool, "bin"));
      writeFileSync(join(tool, "bin/python3"), "#!/bin/sh\necho chosen\n");
      chmodSync(join(tool, "bin/python3"), 0o755);
      const equipped = await yard.start({ toolchains: [tool] });
      expect(await answer(equipped, "python3; command -v python3")).toBe(
        `chosen\n${tool}/bin/python3`,
      );
      expect((await sh(equipped, `touch '${tool}/x'`)).code).not.toBe(0);
    });

    test("given certificates join the bundle and the variables of each tool", async () => {
      const certificate = await makeCertificate(yard.directory);
      const trusting = await yard.start({ certificates: [certificate] });
      const variables = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT"];
      for (const name of [...variables, "REQUESTS_CA_BUNDLE", "CARGO_HTTP_CAINFO"]) {
        const bundle = await answer(trusting, `cat "$${name}"`);
        expect(bundle).toContain(certificate.trim());
        // Node has its own beside them; the others would know these alone.
        const others = (bundle.match(/BEGIN CERTIFICATE/g)?.length ?? 0) > 1;
        expect(others).toBe(name !== "NODE_EXTRA_CA_CERTS");
      }
      expect(await answer(sandbox, "echo ${SSL_CERT_FILE-none}")).toBe("none");
    });

    test("the locale is UTF-8, the own host name resolves, and time zone and accounts are there", async () => {
      expect(await answer(sandbox, "locale charmap 2>/dev/null || echo UTF-8")).toBe("UTF-8");
      expect(await answer(sandbox, 'getent ahosts "$(hostname)"')).toMatch(/127\.0\.1\.1|::1/);
      expect(await answer(sandbox, "getent passwd agent | cut -d: -f6")).toBe("/home/agent");
    });
  });
}
