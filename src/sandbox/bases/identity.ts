/** Of a digest, for the names of bases. */
export const DIGITS = 32;
