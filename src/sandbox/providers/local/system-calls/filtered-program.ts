import { applyFilter, becomeProgram } from "../../../../platform/native/system-call-filter.ts";
import { modeFilter } from "./mode-filter.ts";

/** The three standard streams, and the one to which the runtime reports. */
const DESCRIPTOR_COUNT = 4;

/**
 * Becomes the program that its arguments name, under the filter. It is started where the keeper is, as root there.
 * SECURITY: a filter cannot be taken off again, and all that comes of this process has it.
 */
applyFilter(modeFilter());
becomeProgram(process.argv.slice(2), DESCRIPTOR_COUNT);
