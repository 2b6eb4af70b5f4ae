/** The environment as the process was started with it: the one place that reads `process.env`. */
export interface Environment {
  get(name: string): string | undefined;
}

/** Variables that are set to an empty string count as not set. */
export function readEnvironment(variables: Record<string, string | undefined> = process.env): Environment {
  return { get: (name) => variables[name]?.trim() || undefined };
}
