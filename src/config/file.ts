import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { Environment } from './env.ts';
import { targetNames } from './route-settings.ts';
import { configSchema, type FileConfig } from './schema.ts';

/** One thing wrong in the configuration: where, and what. */
export interface ConfigProblem {
  path: string;
  message: string;
}

export type ConfigFile = { path: string | undefined; config: FileConfig } | { path: string; problems: ConfigProblem[] };

const MAX_FILE_BYTES = 1_000_000;

/**
 * Reads and judges the configuration file. Without a path, `sekisho.yaml` of the working folder is taken
 * where it exists, and an empty configuration otherwise. Every problem is reported, not only the first.
 */
export function readConfigFile(options: { path: string | undefined; environment: Environment }): ConfigFile {
  const path = options.path ?? (existsSync('sekisho.yaml') ? 'sekisho.yaml' : undefined);
  if (path === undefined) return { path, config: {} };
  const problem = (message: string): ConfigFile => ({ path, problems: [{ path: '', message }] });
  if (!existsSync(path)) return problem('The file does not exist.');
  if (statSync(path).size > MAX_FILE_BYTES) return problem(`The file is larger than ${MAX_FILE_BYTES} bytes.`);
  return parseConfig({ path, text: readFileSync(path, 'utf8'), environment: options.environment });
}

/** Judges the text of a configuration file. */
export function parseConfig(options: { path: string; text: string; environment: Environment }): ConfigFile {
  const document = parseDocument(options.text);
  if (document.errors.length > 0) {
    return {
      path: options.path,
      problems: document.errors.map((error) => ({
        path: error.linePos ? `line ${error.linePos[0].line}` : '',
        message: error.message.split('\n')[0] ?? 'This is not YAML.',
      })),
    };
  }
  const problems: ConfigProblem[] = [];
  const resolved = resolveReferences(document.toJS({ maxAliasCount: 100 }) ?? {}, {
    path: [],
    environment: options.environment,
    problems,
  });
  const judged = configSchema.safeParse(resolved);
  if (!judged.success) {
    for (const issue of judged.error.issues) {
      problems.push({ path: issue.path.join('.'), message: issue.message });
    }
  }
  if (judged.success) problems.push(...unknownProviders(judged.data));
  if (problems.length > 0 || !judged.success) return { path: options.path, problems };
  return { path: options.path, config: judged.data };
}

/** Replaces `${env:NAME}` inside strings; a name that is not set is a problem at its path. */
function resolveReferences(
  value: unknown,
  at: { path: string[]; environment: Environment; problems: ConfigProblem[] },
): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
      const found = at.environment.get(name);
      if (found === undefined) {
        at.problems.push({ path: at.path.join('.'), message: `The variable ${name} is not set.` });
        return reference;
      }
      return found;
    });
  }
  const inside = (item: unknown, key: string): unknown => resolveReferences(item, { ...at, path: [...at.path, key] });
  if (Array.isArray(value)) return value.map((item, index) => inside(item, String(index)));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(item, key)]));
  }
  return value;
}

/** With discovery off, a target can only name a provider of the file or a built-in one. */
function unknownProviders(config: FileConfig): ConfigProblem[] {
  if (config.discover !== false) return [];
  const known = new Set([...Object.keys(config.providers ?? {}), 'extractive', 'static', 'local']);
  return Object.entries(config.routes ?? {}).flatMap(([name, route]) =>
    targetNames(route)
      .filter((target) => !known.has(target.slice(0, target.indexOf('/'))))
      .map((target) => ({ path: `routes.${name}`, message: `No provider is called "${target.split('/')[0]}".` })),
  );
}
