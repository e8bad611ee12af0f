/** The stored stand-in of a secret. */
export const maskMark = "***";
