import { mkdtempSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  startFakeDaytona,
  type FakeDaytona,
  type FakeDaytonaOptions,
} from "../../simulator/daytona/daytona.ts";
import { LocalMachines, type DaytonaMachinesOptions } from "./daytona-machines.ts";
import { allOf, program } from "./requirement.ts";

/** What a fake Daytona takes whose commands run in the local provider. */
export const DAYTONA_NEEDS = allOf(program("crun"), program("unshare"), program("nsenter"));

export type OpenFakeDaytonaOptions = Omit<FakeDaytonaOptions, "machines"> &
  Pick<DaytonaMachinesOptions, "mirrors">;

/** A fake Daytona of its own, each of whose sandboxes is one of the local provider. Disposing of it removes all. */
export async function openFakeDaytona(options: OpenFakeDaytonaOptions = {}): Promise<FakeDaytona> {
  await using stack = new AsyncDisposableStack();
  const { mirrors, ...rest } = options;
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-daytona-")));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const place = { directory, ...(mirrors === undefined ? {} : { mirrors }) };
  const machines = stack.use(new LocalMachines(place));
  const daytona = stack.use(await startFakeDaytona({ machines, ...rest }));
  const owned = stack.move();
  return { ...daytona, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
