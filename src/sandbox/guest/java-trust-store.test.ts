import { createHash } from "node:crypto";
import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { javaTrustStore } from "./java-trust-store.ts";

test("a Java trust store begins, counts and seals itself as Java expects", () => {
  const certificates = rootCertificates.slice(0, 3);
  const store = javaTrustStore(certificates, new Date(0));
  expect(store.subarray(0, 12).toString("hex")).toBe("feedfeed0000000200000003");
  const content = store.subarray(0, -20);
  const password = Buffer.from("changeit", "utf16le").swap16();
  const seal = createHash("sha1").update(password).update("Mighty Aphrodite").update(content);
  expect(store.subarray(-20)).toEqual(seal.digest());
  for (const pem of certificates) {
    const base64 = pem.replace(/-----[^-]+-----|\s/g, "");
    expect(content.includes(Buffer.from(base64, "base64"))).toBe(true);
  }
});
