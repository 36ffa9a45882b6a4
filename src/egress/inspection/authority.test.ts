import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { connect as connectTls, TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HostName } from "../host-name.ts";
import { openAuthority } from "./authority.ts";
import { signServer } from "./certificate.ts";
import { ServerContexts } from "./server-contexts.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NAME = "api.example" as HostName;
let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cattlegrid-authority-"));
  file = join(directory, "inspection", "authority.pem");
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("the authority of an installation", () => {
  test("is made once, readable by its owner alone, and found again", () => {
    const made = openAuthority(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, "inspection")).mode & 0o777).toBe(0o700);
    expect(openAuthority(file).certificate).toBe(made.certificate);
    expect(made.certificate).not.toContain("PRIVATE KEY");
    const certificate = new X509Certificate(made.certificate);
    expect([certificate.ca, certificate.verify(certificate.publicKey)]).toEqual([true, true]);
  });

  test("is another one for every installation", () => {
    const other = openAuthority(join(directory, "other", "authority.pem"));
    expect(other.certificate).not.toBe(openAuthority(file).certificate);
  });

  test("is made anew before it ends", () => {
    const made = openAuthority(file, new Date(Date.now() - 10 * 365 * DAY_MS));
    expect(openAuthority(file).certificate).not.toBe(made.certificate);
  });

  test.each([
    ["others can read", () => chmodSync(file, 0o640)],
    ["is cut short", () => writeFileSync(file, readFileSync(file).subarray(0, 300))],
    [
      "has a key of something else",
      () => {
        const other = readFileSync(file, "utf8");
        rmSync(file);
        openAuthority(file);
        const certificate = readFileSync(file, "utf8").split("-----BEGIN CERT")[1] ?? "";
        const key = other.split("-----BEGIN CERT")[0] ?? "";
        writeFileSync(file, `${key}-----BEGIN CERT${certificate}`, { mode: 0o600 });
      },
    ],
  ])("is refused when its file %s", (_what, spoil) => {
    openAuthority(file);
    spoil();
    expect(() => openAuthority(file)).toThrow(
      expect.objectContaining({ code: "AUTHORITY_INVALID" }),
    );
  });
});

describe("a certificate for a host", () => {
  test("is for that name and no other, and for servers alone", () => {
    const { certificate, signer } = openAuthority(file);
    const from = new Date(Date.now() - DAY_MS);
    const validity = { from, until: new Date(Date.now() + DAY_MS) };
    const pem = signServer(signer, { hostName: NAME, publicKey: signer.publicKey, validity });
    const leaf = new X509Certificate(pem);
    expect(leaf.checkIssued(new X509Certificate(certificate))).toBe(true);
    expect(leaf.verify(new X509Certificate(certificate).publicKey)).toBe(true);
    expect([leaf.ca, leaf.subjectAltName, leaf.keyUsage]).toEqual([
      false,
      `DNS:${NAME}`,
      ["1.3.6.1.5.5.7.3.1"],
    ]);
    expect(leaf.checkHost(NAME)).toBe(NAME);
    expect(leaf.checkHost(`x.${NAME}`)).toBeUndefined();
  });

  test("of the longest name is valid too", () => {
    const { signer } = openAuthority(file);
    const hostName = `${"a".repeat(63)}.${"b".repeat(63)}.example`;
    const validity = { from: new Date(0), until: new Date(Date.UTC(2051)) };
    const pem = signServer(signer, { hostName, publicKey: signer.publicKey, validity });
    expect(new X509Certificate(pem).checkHost(hostName)).toBe(hostName);
    expect(new X509Certificate(pem).validToDate.getUTCFullYear()).toBe(2051);
  });

  test("is made once for a name, and anew before it ends", () => {
    const contexts = new ServerContexts(openAuthority(file));
    const first = contexts.for(NAME);
    expect(contexts.for(NAME)).toBe(first);
    expect(contexts.for(NAME, Date.now() + 6 * DAY_MS)).not.toBe(first);
    for (let at = 0; at < 300; at++) contexts.for(`n${at}.example` as HostName);
    expect(contexts.for(NAME)).not.toBe(first);
  });

  test("is believed by a client that trusts the authority, and by no other", async () => {
    const authority = openAuthority(file);
    const contexts = new ServerContexts(authority);
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      const tls = new TLSSocket(socket, { isServer: true, secureContext: contexts.for(NAME) });
      tls.on("error", () => undefined);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const dial = async (ca: string[]): Promise<string> => {
      const socket = connect(port, "127.0.0.1");
      const client = connectTls({ socket, servername: NAME, ca });
      const ended = once(client, "secureConnect").then(() => "believed");
      const outcome = await ended.catch((error: NodeJS.ErrnoException) => error.code ?? "");
      client.destroy();
      return outcome;
    };
    expect(await dial([authority.certificate])).toBe("believed");
    expect(await dial([])).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    await new Promise((resolve) => server.close(resolve));
  });
});
