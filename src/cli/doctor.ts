import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { createRemoteProvider } from '../providers/registry.ts';
import { ownerOf } from '../data-folder.ts';
import { toSekishoError } from '../spec/errors.ts';
import type { CommandInput } from './command.ts';
import { ConfigProblems, settingsOf } from './settings-of.ts';

const ASKING_MS = 8_000;

/** `doctor`: what is set, what answers, what is missing, and how to mend it. Exit code 1 where something must be mended. */
export async function doctor(input: CommandInput): Promise<number> {
  const { terminal } = input;
  let broken = 0;
  const say = (state: 'ok' | 'note' | 'bad', line: string, mend?: string): void => {
    if (state === 'bad') broken++;
    terminal.print(`${{ ok: '✓', note: '·', bad: '✗' }[state]} ${line}`);
    if (mend !== undefined) terminal.print(`    ${mend}`);
  };

  let settings;
  try {
    settings = settingsOf(input);
    say('ok', `configuration: ${settings.configPath ?? 'no file, the environment alone'}`);
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    say('bad', `configuration: ${error.message}`, 'Mend the fields named above, then run: sekisho config check');
    return 1;
  }

  const owner = ownerOf(settings.dataFolder);
  if (owner !== undefined) say('ok', `server: process ${owner.pid} at ${owner.url}`);
  else say('note', 'server: not running', 'Start it with: npm start');
  const folder = existsSync(settings.dataFolder) ? settings.dataFolder : dirname(settings.dataFolder);
  try {
    accessSync(folder, constants.W_OK);
    say(
      'ok',
      `data folder: ${settings.dataFolder}${existsSync(settings.dataFolder) ? '' : ' (made at the first start)'}`,
    );
  } catch {
    say('bad', `data folder: ${settings.dataFolder} cannot be written`, 'Choose another with SEKISHO_DATA.');
  }

  if (settings.providers.length === 0) {
    say(
      'note',
      'providers: none; answers come from documents, verbatim (model "extractive")',
      'Set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY, ... or write sekisho.yaml.',
    );
  }
  const local = settings.localServers.map((server) => ({ ...server, optional: true }));
  for (const provider of [...settings.providers.map((each) => ({ ...each, optional: false })), ...local]) {
    try {
      const models = await createRemoteProvider(provider).listModels?.(AbortSignal.timeout(ASKING_MS));
      say(
        'ok',
        `${provider.name}: answers at ${provider.baseUrl} with ${models?.length ?? 0} models (${provider.origin})`,
      );
    } catch (thrown) {
      const error = toSekishoError(thrown);
      if (provider.optional) say('note', `${provider.name}: no server at ${provider.baseUrl}`);
      else say('bad', `${provider.name} at ${provider.baseUrl}: ${error.message}`, mendOf(error.code, provider.origin));
    }
  }

  const known = new Set([...settings.providers, ...settings.localServers].map(({ name }) => name))
    .add('extractive')
    .add('static')
    .add('local');
  for (const route of settings.routes) {
    const missing = route.groups
      .flatMap((group) => group.targets.map((target) => target.name))
      .filter((target) => !known.has(target.slice(0, target.indexOf('/'))));
    if (missing.length > 0) {
      say(
        'bad',
        `route ${route.name}: no provider for ${missing.join(', ')}`,
        'Name the provider in sekisho.yaml or set its key.',
      );
    }
  }
  return broken === 0 ? 0 : 1;
}

function mendOf(code: string, origin: string): string {
  if (code === 'upstream_credential') return `The key from ${origin} is not accepted. Check it and set it again.`;
  if (code === 'upstream_unreachable' || code === 'upstream_timeout')
    return 'Check the address, the network and a proxy if there is one.';
  return 'The address answers, but not as expected. Check base_url: most end in /v1.';
}
