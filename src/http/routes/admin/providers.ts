import { Hono } from 'hono';
import { requireOperator } from '../../../access/permissions.ts';
import type { Vault } from '../../../access/vault.ts';
import { providerSchema, type ProviderConfig } from '../../../config/provider-schema.ts';
import { joinSecrets, providerSecretsSchema, sameDestination, splitSecrets } from '../../../config/provider-secrets.ts';
import type { ManagedSettings } from '../../../governance/managed-settings.ts';
import { isJsonObject, parseJson } from '../../../lib/json.ts';
import { Secret } from '../../../lib/secret.ts';
import { SekishoError, toSekishoError } from '../../../spec/errors.ts';
import type { HttpEnv } from '../../http-context.ts';
import { judge, readJson } from '../../read-body.ts';
import { managedName, shownSetting } from './managed.ts';

export interface ProviderAdminDeps {
  managed: ManagedSettings;
  vault: Vault;
  /** Providers of the file and the environment, without secrets. */
  fromFile: () => { name: string; wire: string; base_url: string; origin: string }[];
  /** The place under which a provider's secrets are sealed. */
  placeOf: (name: string) => string;
  /** Whether a provider made over the API may name this address. */
  mayReach: (url: URL) => boolean;
  /** What the provider in force says it has. @throws SekishoError as a call to it would. */
  listModels: (name: string, signal: AbortSignal) => Promise<string[]>;
}

const TEST_MS = 10_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Names under which this process answers itself. */
const OWN_NAMES: ReadonlySet<string> = new Set(['extractive', 'static', 'local', 'rag']);
/** A host name and nothing else; with anything more, what is checked and what is asked for might differ. */
const HOST_NAME =
  /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Providers over HTTP: what is sent there is a credential, so where it goes is bounded and asked for anew. */
export function providerAdminRoutes(deps: ProviderAdminDeps): Hono<HttpEnv> {
  const { managed, vault } = deps;

  /** The stored secrets, for a description that sends them to the same place as before. */
  function keptSecrets(name: string, wanted: ProviderConfig): ProviderConfig {
    const stored = managed.find('provider', name);
    const { secrets } = splitSecrets(wanted);
    if (stored?.sealed === undefined || Object.keys(secrets).length > 0) return wanted;
    if (!sameDestination(judge(providerSchema, stored.value), wanted)) {
      const problem = 'api_key: the address has changed, so the credential must be entered again';
      throw new SekishoError('invalid_request', { values: { problem }, param: 'api_key' });
    }
    const opened = parseJson(vault.open(stored.sealed, deps.placeOf(name)).reveal());
    return joinSecrets(wanted, providerSecretsSchema.parse(opened));
  }

  return new Hono<HttpEnv>()
    .get('/v1/providers', (context) => {
      requireOperator(context.get('principal'), 'read providers');
      const ours = managed.all().filter(({ kind }) => kind === 'provider');
      const names = new Set(ours.map(({ name }) => name));
      const file = deps
        .fromFile()
        .filter(({ name }) => !names.has(name))
        .map(({ name, ...value }) => ({ name, source: 'file', value }));
      const api = ours.map((setting) => ({ ...shownSetting(setting), has_credential: setting.sealed !== undefined }));
      return context.json({ data: [...api, ...file] });
    })
    .put('/v1/providers/:name', async (context) => {
      const principal = context.get('principal');
      requireOperator(principal, 'change providers');
      const name = managedName(context.req.param('name'));
      if (!NAME.test(name)) throw wrong('name', 'letters, digits, ".", "_" and "-"');
      if (OWN_NAMES.has(name)) throw wrong('name', 'is what Sekisho itself answers under');
      const wanted = keptSecrets(name, judge(providerSchema, (await readJson(context)).json));
      for (const [param, url] of addressesOf(wanted)) {
        const address = URL.parse(url);
        if (address === null || !deps.mayReach(address)) {
          throw wrong(param, 'this host is not on the list server.upstream_hosts of the configuration');
        }
      }
      if (wanted.wire === 'bedrock' && wanted.aws === undefined) throw wrong('aws', 'the bedrock wire needs a region');
      if (wanted.wire === 'kserve' && wanted.base_url === undefined)
        throw wrong('base_url', 'the wire needs an address');
      const { plain, secrets } = splitSecrets(wanted);
      const sealed =
        Object.keys(secrets).length === 0
          ? undefined
          : vault.seal(new Secret(JSON.stringify(secrets)), deps.placeOf(name));
      const value = parseJson(JSON.stringify(plain));
      if (!isJsonObject(value)) throw wrong('body', 'must be an object');
      const written = await managed.put(
        { kind: 'provider', name, value, ...(sealed !== undefined && { sealed }) },
        principal.keyId,
      );
      return context.json({ ...shownSetting(written), has_credential: sealed !== undefined });
    })
    .delete('/v1/providers/:name', async (context) => {
      const principal = context.get('principal');
      requireOperator(principal, 'change providers');
      const name = context.req.param('name');
      if (!(await managed.remove('provider', name, principal.keyId))) {
        throw new SekishoError('not_found', { values: { path: `/v1/providers/${name.slice(0, 64)}` } });
      }
      return context.json({ name, deleted: true });
    })
    .post('/v1/providers/:name/test', async (context) => {
      // It sends the stored credential to the stored address, so it needs the right to change both.
      requireOperator(context.get('principal'), 'test providers');
      try {
        const models = await deps.listModels(context.req.param('name'), AbortSignal.timeout(TEST_MS));
        return context.json({ ok: true, models: models.slice(0, 1_000) });
      } catch (thrown) {
        const error = toSekishoError(thrown);
        if (error.code === 'not_found') throw error;
        return context.json({
          ok: false,
          models: [],
          error: { code: error.code, message: error.messageIn(context.get('language')) },
        });
      }
    });
}

/** Every address that a description would have us call. */
function addressesOf({ base_url, endpoints, aws }: ProviderConfig): [string, string][] {
  const addresses: [string, string][] = base_url === undefined ? [] : [['base_url', base_url]];
  if (aws !== undefined) addresses.push(['aws.region', `https://bedrock-runtime.${aws.region}.amazonaws.com`]);
  if (endpoints === undefined) return addresses;
  if ('list' in endpoints) addresses.push(...endpoints.list.map((url): [string, string] => ['endpoints.list', url]));
  else if ('consul' in endpoints)
    addresses.push(['endpoints.consul', endpoints.consul], ['endpoints.service', 'http://service.consul']);
  else if ('dns' in endpoints) addresses.push(['endpoints.dns', addressOf(endpoints.dns)]);
  else addresses.push(['endpoints.srv', addressOf(endpoints.srv.replace(/^(_[^.]+\.)+/, ''))]);
  return addresses;
}

/** A host name as an address; what is no host name becomes none, so that nothing may reach it. */
function addressOf(host: string): string {
  return HOST_NAME.test(host) ? `http://${host}` : '';
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
