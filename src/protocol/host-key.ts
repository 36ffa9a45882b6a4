import { z } from "zod";

/** As a line of `known_hosts` has it, without the hosts: `ssh-ed25519 AAAA…`. */
const hostKeySchema = z.string().regex(/^ssh-ed25519 [A-Za-z0-9+/]{60,100}={0,2}$/);

export const hostKeyQuerySchema = z
  .strictObject({ key: hostKeySchema })
  .meta({ id: "HostKeyQuery" });

export const hostKeyListSchema = z
  .object({ keys: z.array(z.string()).readonly() })
  .meta({ id: "HostKeyList" });
export type HostKeyList = z.infer<typeof hostKeyListSchema>;
