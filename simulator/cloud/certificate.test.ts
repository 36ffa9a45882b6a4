import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createCertificates } from "./certificate.ts";

test("the leaf is issued by the authority, and for the named hosts only", () => {
  const { authority, certificate } = createCertificates(["cli.kiro.dev", "q.example.invalid"]);
  const root = new X509Certificate(authority);
  const leaf = new X509Certificate(certificate);
  expect(root.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(root.verify(root.publicKey)).toBe(true);
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkIssued(root)).toBe(true);
  expect(leaf.checkHost("q.example.invalid")).toBe("q.example.invalid");
  expect(leaf.checkHost("other.example.invalid")).toBeUndefined();
  expect(root.subject).toContain("simulator");
});

test("every authority can be read back, whatever its random serial number", () => {
  for (let count = 0; count < 200; count += 1) {
    const { authority } = createCertificates(["a.example.invalid"]);
    expect(new X509Certificate(authority).serialNumber).toHaveLength(32);
  }
});
