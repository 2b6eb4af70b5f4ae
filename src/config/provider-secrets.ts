import { z } from 'zod';
import type { ProviderConfig } from './provider-schema.ts';

/** What of a provider must not be stored or shown in plain. */
export const providerSecretsSchema = z.strictObject({
  api_key: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  aws_secret_access_key: z.string().optional(),
  aws_session_token: z.string().optional(),
  consul_token: z.string().optional(),
});

export type ProviderSecrets = z.infer<typeof providerSecretsSchema>;

/** A provider without its secrets, and these. */
export function splitSecrets(provider: ProviderConfig): { plain: ProviderConfig; secrets: ProviderSecrets } {
  const { api_key, headers, aws, endpoints, ...rest } = provider;
  const { secret_access_key, session_token, ...plainAws } = aws ?? {};
  const { token, ...plainEndpoints } = endpoints !== undefined && 'consul' in endpoints ? endpoints : {};
  return {
    plain: {
      ...rest,
      ...(aws !== undefined && { aws: { region: aws.region, ...plainAws } }),
      ...(endpoints !== undefined && {
        endpoints:
          'consul' in endpoints
            ? { consul: endpoints.consul, service: endpoints.service, ...plainEndpoints }
            : endpoints,
      }),
    },
    secrets: {
      ...(api_key !== undefined && { api_key }),
      ...(headers !== undefined && { headers }),
      ...(secret_access_key !== undefined && { aws_secret_access_key: secret_access_key }),
      ...(session_token !== undefined && { aws_session_token: session_token }),
      ...(token !== undefined && { consul_token: token }),
    },
  };
}

/** Puts the secrets back where they belong. */
export function joinSecrets(plain: ProviderConfig, secrets: ProviderSecrets): ProviderConfig {
  const { aws, endpoints } = plain;
  return {
    ...plain,
    ...(secrets.api_key !== undefined && { api_key: secrets.api_key }),
    ...(secrets.headers !== undefined && { headers: secrets.headers }),
    ...(aws !== undefined && {
      aws: {
        ...aws,
        ...(secrets.aws_secret_access_key !== undefined && { secret_access_key: secrets.aws_secret_access_key }),
        ...(secrets.aws_session_token !== undefined && { session_token: secrets.aws_session_token }),
      },
    }),
    ...(endpoints !== undefined && {
      endpoints:
        'consul' in endpoints && secrets.consul_token !== undefined
          ? { ...endpoints, token: secrets.consul_token }
          : endpoints,
    }),
  };
}

/** Whether two descriptions of a provider send its credential to the same place in the same way. */
export function sameDestination(one: ProviderConfig, other: ProviderConfig): boolean {
  const destination = ({ wire, base_url, flavour, aws, endpoints }: ProviderConfig): string =>
    JSON.stringify([wire, base_url, flavour, aws?.region, endpoints]);
  return destination(one) === destination(other);
}
