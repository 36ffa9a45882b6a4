import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import * as der from "./der.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const ECDSA_WITH_SHA256 = der.sequence(der.objectIdentifier("1.2.840.10045.4.3.2"));
const COMMON_NAME = "2.5.4.3";

export interface Certificates {
  /** The authority a client must trust, PEM. */
  authority: string;
  /** The server's own certificate, PEM, and its private key. */
  certificate: string;
  privateKey: string;
}

/** Makes an authority and one leaf for all `hosts`; nothing is kept beyond the answer. */
export function createCertificates(hosts: readonly string[]): Certificates {
  const authorityKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leafKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = "Cattlegrid Kiro simulator authority";
  const authorityId = keyIdentifier(authorityKeys.publicKey);
  const signing = { issuer, key: authorityKeys.privateKey, authorityId };
  const authority = createCertificate(signing, {
    subject: issuer,
    publicKey: authorityKeys.publicKey,
    extensions: [
      extension("2.5.29.19", der.sequence(der.boolean(true)), "critical"),
      extension("2.5.29.15", der.bitString(Buffer.from([0x06]), 1), "critical"),
      extension("2.5.29.14", der.octetString(authorityId)),
    ],
  });
  const certificate = createCertificate(signing, {
    subject: "Cattlegrid Kiro simulator",
    publicKey: leafKeys.publicKey,
    extensions: [
      extension("2.5.29.19", der.sequence(), "critical"),
      extension("2.5.29.15", der.bitString(Buffer.from([0x80]), 7), "critical"),
      extension("2.5.29.37", der.sequence(der.objectIdentifier("1.3.6.1.5.5.7.3.1"))),
      extension("2.5.29.14", der.octetString(keyIdentifier(leafKeys.publicKey))),
      extension("2.5.29.35", der.sequence(der.element(0x80, authorityId))),
      extension("2.5.29.17", alternativeNames(hosts)),
    ],
  });
  return {
    authority,
    certificate,
    privateKey: leafKeys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

interface Signing {
  issuer: string;
  key: KeyObject;
  authorityId: Buffer;
}

interface Subject {
  subject: string;
  publicKey: KeyObject;
  extensions: readonly Buffer[];
}

function createCertificate(signing: Signing, subject: Subject): string {
  const now = Date.now();
  const content = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    // The first byte is neither zero nor negative, so the number needs no padding.
    der.integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    distinguishedName(signing.issuer),
    // A day of slack: the clock of a sandbox or a virtual machine may lag behind ours.
    der.sequence(der.utcTime(new Date(now - DAY_MS)), der.utcTime(new Date(now + 30 * DAY_MS))),
    distinguishedName(subject.subject),
    subject.publicKey.export({ type: "spki", format: "der" }),
    der.explicit(3, der.sequence(...subject.extensions)),
  );
  const signature = sign("sha256", content, signing.key);
  return toPem(der.sequence(content, ECDSA_WITH_SHA256, der.bitString(signature)));
}

function distinguishedName(name: string): Buffer {
  return der.sequence(
    der.set(der.sequence(der.objectIdentifier(COMMON_NAME), der.utf8String(name))),
  );
}

function extension(id: string, value: Buffer, critical?: "critical"): Buffer {
  const flag = critical === undefined ? [] : [der.boolean(true)];
  return der.sequence(der.objectIdentifier(id), ...flag, der.octetString(value));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  return der.sequence(...hosts.map((host) => der.element(0x82, Buffer.from(host))));
}

function keyIdentifier(publicKey: KeyObject): Buffer {
  return createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();
}

function toPem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
