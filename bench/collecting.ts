/** Loaded into a daemon under measurement: on SIGUSR2 it lets go of whatever it does not need, so that what is left is kept. */
import koffi from "koffi";

const trim = koffi.load("libc.so.6").func("int malloc_trim(size_t pad)") as (pad: number) => number;

process.on("SIGUSR2", () => {
  global.gc?.();
  // The allocator keeps what was freed, in pieces too small to give back by itself.
  trim(0);
});
