import type { Answer, Call, Parameters } from "../exchange.ts";
import type { FakeSandbox } from "../sandbox.ts";
import type { Service } from "../service.ts";

/** A call to the toolbox of one sandbox. */
export interface ToolboxCall {
  call: Call;
  sandbox: FakeSandbox;
  parameters: Parameters;
  service: Service;
}

export type ToolboxHandler = (call: ToolboxCall) => Answer | Promise<Answer>;
export type ToolboxRoutes = Readonly<Record<string, ToolboxHandler>>;
