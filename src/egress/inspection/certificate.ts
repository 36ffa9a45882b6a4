import { createHash, randomBytes, sign, type KeyObject } from "node:crypto";
import * as der from "./der.ts";

const ECDSA_WITH_SHA256 = der.sequence(der.objectIdentifier("1.2.840.10045.4.3.2"));
const ORGANISATION = "2.5.4.10";
const COMMON_NAME = "2.5.4.3";
const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1";
const SUBJECT_KEY = "2.5.29.14";
const AUTHORITY_KEY = "2.5.29.35";
const ALTERNATIVE_NAMES = "2.5.29.17";
/** Longest common name that X.520 allows. */
const COMMON_NAME_LENGTH_MAX = 64;

export interface Validity {
  from: Date;
  until: Date;
}

/** A P-256 key that signs, and the name that its certificates carry as issuer. */
export interface Signer {
  name: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** The certificate, as PEM, of an authority that vouches for itself and for server certificates below it. */
export function signAuthority(signer: Signer, validity: Validity): string {
  return signCertificate(signer, {
    name: signer.name,
    validity,
    publicKey: signer.publicKey,
    extensions: [
      // No authority may stand below it.
      extension(BASIC_CONSTRAINTS, der.sequence(der.isTrue(), der.integer(Buffer.of(0))), CRITICAL),
      extension(KEY_USAGE, der.bitString(Buffer.of(0b0000_0110), 1), CRITICAL),
      extension(SUBJECT_KEY, der.octetString(keyIdentifier(signer.publicKey))),
    ],
  });
}

/** A server certificate for exactly one DNS name, as PEM. */
export function signServer(
  signer: Signer,
  { hostName, publicKey, validity }: { hostName: string; publicKey: KeyObject; validity: Validity },
): string {
  const name = hostName.length > COMMON_NAME_LENGTH_MAX ? "server" : hostName;
  return signCertificate(signer, {
    name,
    validity,
    publicKey,
    extensions: [
      extension(BASIC_CONSTRAINTS, der.sequence(), CRITICAL),
      extension(KEY_USAGE, der.bitString(Buffer.of(0b1000_0000), 7), CRITICAL),
      extension(EXTENDED_KEY_USAGE, der.sequence(der.objectIdentifier(SERVER_AUTHENTICATION))),
      extension(SUBJECT_KEY, der.octetString(keyIdentifier(publicKey))),
      extension(AUTHORITY_KEY, der.sequence(der.element(0x80, keyIdentifier(signer.publicKey)))),
      extension(ALTERNATIVE_NAMES, der.sequence(der.element(0x82, Buffer.from(hostName)))),
    ],
  });
}

interface Subject {
  name: string;
  validity: Validity;
  publicKey: KeyObject;
  extensions: readonly Buffer[];
}

const CRITICAL = true;

function signCertificate(signer: Signer, subject: Subject): string {
  const { validity, publicKey, extensions } = subject;
  const content = der.sequence(
    der.element(0xa0, der.integer(Buffer.of(2))),
    der.integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    distinguishedName(signer.name),
    der.sequence(der.time(validity.from), der.time(validity.until)),
    distinguishedName(subject.name),
    publicKey.export({ type: "spki", format: "der" }),
    der.element(0xa3, der.sequence(...extensions)),
  );
  const signature = sign("sha256", content, signer.privateKey);
  return toPem(der.sequence(content, ECDSA_WITH_SHA256, der.bitString(signature)));
}

function distinguishedName(commonName: string): Buffer {
  const attribute = (id: string, value: string): Buffer =>
    der.set(der.sequence(der.objectIdentifier(id), der.utf8String(value)));
  return der.sequence(attribute(ORGANISATION, "Cattlegrid"), attribute(COMMON_NAME, commonName));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  const flag = isCritical ? [der.isTrue()] : [];
  return der.sequence(der.objectIdentifier(id), ...flag, der.octetString(value));
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
