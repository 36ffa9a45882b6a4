import { join } from "node:path";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { createDaytonaProvider } from "../../src/sandbox/providers/daytona/provider.ts";
import type { Patience } from "../../src/sandbox/providers/daytona/patience.ts";
import type { DaytonaVariable } from "../../src/sandbox/providers/daytona/settings.ts";
import type { Logger } from "../../src/platform/logger.ts";

export interface DaytonaAccount {
  url: string;
  key: string;
}

export interface ProviderPlace {
  stateDirectory: string;
  logger?: Logger;
  patience?: Partial<Patience>;
}

/** The provider with an account at that address. */
export function providerAt(
  { url, key }: DaytonaAccount,
  { stateDirectory, logger, patience = {} }: ProviderPlace,
): SandboxProvider {
  const variables: Partial<Record<DaytonaVariable, string>> = {
    DAYTONA_API_KEY: key,
    DAYTONA_API_URL: url,
  };
  return createDaytonaProvider({
    stateDirectory: join(stateDirectory, "daytona"),
    read: async (name) => variables[name],
    patience,
    ...(logger === undefined ? {} : { logger }),
  });
}
