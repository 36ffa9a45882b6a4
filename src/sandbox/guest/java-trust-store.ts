import { createHash, X509Certificate } from "node:crypto";

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
/** Java reads its own trust store with this well-known word; it protects nothing and is no secret. */
const PASSWORD = "changeit";
const WHITENER = "Mighty Aphrodite";

/** A trust store in Java's own form (JKS, which every Java since 1.2 reads), from PEM certificates. */
export function javaTrustStore(certificates: readonly string[], now: Date): Buffer {
  const entries = certificates.map((pem, index) => {
    const { raw } = new X509Certificate(pem);
    return Buffer.concat([
      number(TRUSTED_CERTIFICATE),
      text(`certificate-${index}`),
      date(now),
      text("X.509"),
      number(raw.length),
      raw,
    ]);
  });
  const head = [number(MAGIC), number(VERSION), number(certificates.length)];
  const content = Buffer.concat([...head, ...entries]);
  const seal = createHash("sha1").update(Buffer.from(PASSWORD, "utf16le").swap16());
  return Buffer.concat([content, seal.update(WHITENER).update(content).digest()]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function date(value: Date): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value.getTime()));
  return bytes;
}
