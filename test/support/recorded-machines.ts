import type { Machine, Machines } from "../../simulator/daytona/machine.ts";

/** Machines of which only coming and going matters here. */
export class RecordedMachines implements Machines {
  readonly events: string[] = [];

  async start(): Promise<Machine> {
    this.events.push("start");
    return {
      user: "nobody",
      home: "/nowhere",
      run: async () => {
        throw new Error("nothing runs here");
      },
      connect: async () => {
        throw new Error("nothing listens here");
      },
      setNetwork: ({ networkBlockAll, domainAllowList }) =>
        void this.events.push(`network ${networkBlockAll} ${domainAllowList}`),
      stop: async () => void this.events.push("stop"),
    };
  }

  async remove(): Promise<void> {
    this.events.push("remove");
  }
}
