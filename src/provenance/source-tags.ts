export const sourceTags = (_: readonly string[]): any[] => [];
