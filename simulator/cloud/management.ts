import { sendJson } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import { isAuthorised } from "./runtime.ts";
import type { Runtime } from "./runtime.ts";

export interface Profile {
  arn: string;
  profileName: string;
}

export interface Account {
  email: string;
  /** What an Identity Center account may choose from. */
  profiles: readonly Profile[];
}

const CREDITS_IN_PLAN = 50;

/** Profiles, models and usage, named in the path as `/listAvailableProfiles` and so on. */
export function serveManagement(
  exchange: Exchange,
  { runtime, account }: { runtime: Runtime; account: Account },
): void {
  if (!isAuthorised(exchange, runtime)) {
    exchange.response.setHeader("x-amzn-errortype", "AccessDeniedException");
    return sendJson(exchange, 403, { __type: "AccessDeniedException", message: "simulated" });
  }
  switch (exchange.url.pathname) {
    case "/listAvailableProfiles":
      return sendJson(exchange, 200, { profiles: account.profiles });
    case "/listAvailableModels":
      return sendJson(exchange, 200, {
        models: [{ modelId: "auto", modelName: "auto", rateMultiplier: 1 }],
        defaultModel: { modelId: "auto" },
      });
    case "/getUsageLimits":
      return sendJson(exchange, 200, {
        userInfo: { email: account.email },
        subscriptionInfo: { subscriptionTitle: "KIRO FREE" },
        usageLimit: CREDITS_IN_PLAN,
        currentUsage: Math.round(runtime.creditsUsed * 100) / 100,
      });
    default:
      return sendJson(exchange, 404, { message: "unknown operation" });
  }
}
