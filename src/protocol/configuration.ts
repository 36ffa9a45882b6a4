import { z } from "zod";

const text = z.string().min(1);
/** A number, or a text such as `512m` or `30m`, as the flag of that name takes it. */
const amount = z.union([text, z.number()]);
/** Of a sandbox provider's setting. SECURITY: a secret is named here and never written. */
const providerValue = z.union(
  [text, z.strictObject({ secret: text }), z.strictObject({ env: text })],
  "is no text, and neither `{ secret: NAME }` nor `{ env: VARIABLE }`",
);
const endpoint = /^[^\s:,=]+:\d{1,5}$/;

/**
 * `config.yaml`: what stands in for flags that are not given. A name may also be written as the flag is: `idle-stop` for
 * `idleStop`. Relative paths begin at the file.
 */
export const configurationSchema = z
  .strictObject({
    toolchains: z.array(text).describe("directories of this machine, read-only inside"),
    allow: z.array(text).describe("hosts that may be reached, as with --allow"),
    deny: z.array(text).describe("hosts that may not, as with --deny"),
    policy: text.describe("a preset, or the path of a policy file"),
    template: text.describe("what new sandboxes are made from, as --template"),
    mode: z.enum(["direct", "readonly", "overlay", "clone"]),
    provider: text,
    providers: z
      .record(z.string(), z.record(z.string(), providerValue))
      .describe("what sandbox providers are told of accounts and machines, by their ids"),
    isolation: z.enum(["namespaces", "container", "gvisor", "microvm", "remote"]),
    cpus: amount,
    memory: amount,
    idleStop: amount.describe("stop after this long with nothing going on, such as 30m"),
    maxAge: amount.describe("stop this long after it was made, such as 8h"),
    detachKeys: text,
    installTimeout: amount,
    loginTimeout: amount,
    turnTimeout: amount,
    regions: z.array(text).describe("of the agent's service, as --region"),
    loginProfile: text.describe("whose sign-in agents get, as --profile"),
    identityProvider: text,
    identityRegion: text,
    gitIdentity: z.boolean().describe("whether git's user.name and user.email go in"),
    mirrors: z
      .record(
        z.string().regex(endpoint, "is no name:port"),
        z.string().regex(endpoint, "is no address:port"),
      )
      .describe("where connections to allowed names go instead: `name:port: address:port`"),
    mirrorCertificates: text.describe("a PEM file that vouches for the mirrors"),
  })
  .partial()
  .meta({ id: "Configuration" });
export type Configuration = z.infer<typeof configurationSchema>;

/**
 * `.cattlegrid/config.yaml` of a workspace. SECURITY: the agent can write this file, and whoever sends a pull request
 * too. So it can only narrow: no rule that allows, no directory of the machine, no mirror, and of amounts and modes the
 * narrower one counts.
 */
export const projectConfigurationSchema = z
  .strictObject({
    deny: configurationSchema.shape.deny,
    policy: z.literal("locked"),
    mode: z.enum(["readonly", "overlay", "clone"]),
    cpus: amount,
    memory: amount,
    idleStop: amount,
    maxAge: amount,
  })
  .partial()
  .meta({ id: "ProjectConfiguration" });
