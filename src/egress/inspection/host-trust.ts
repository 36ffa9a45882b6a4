import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";

/** What the host trusts, and what an operator adds for some connections. */
export class HostTrust {
  readonly #contexts = new Map<string, SecureContext>();

  /** SECURITY: the host's own store; the certificates of an operator count only where they were given for. */
  contextWith(added: readonly string[]): SecureContext {
    const key = added.join("\n");
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const context = createSecureContext({
      ca: [...hostCertificates(), ...added],
      minVersion: "TLSv1.2",
    });
    this.#contexts.set(key, context);
    return context;
  }
}

/** A host without a store of its own has the one that comes with Node. */
function hostCertificates(): readonly string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("bundled");
}
