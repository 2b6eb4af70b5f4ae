import { readSettings, type Settings, type SettingsOverrides } from '../config/settings.ts';
import type { CommandInput } from './command.ts';

/** Thrown where the configuration is not usable; the message lists every problem. */
export class ConfigProblems extends Error {}

/** The settings that the options, the environment and the file make together. */
export function settingsOf({ options, environment }: CommandInput, more: SettingsOverrides = {}): Settings {
  const answer = readSettings(environment, {
    ...(options.config !== undefined && { configPath: options.config }),
    ...(options.data !== undefined && { dataFolder: options.data }),
    ...(options.port !== undefined && { port: Number(options.port) }),
    ...more,
  });
  if ('settings' in answer) return answer.settings;
  const lines = answer.problems.map(({ path, message }) => `  ${path === '' ? '(file)' : path}: ${message}`);
  throw new ConfigProblems(`${answer.path} has ${count(lines.length)}:\n${lines.join('\n')}`);
}

function count(problems: number): string {
  return problems === 1 ? 'a problem' : `${problems} problems`;
}
