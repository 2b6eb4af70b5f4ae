import type { LimitRefusal } from './gateway/admission.ts';
import type { GatewayEvents } from './gateway/open-gateway.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

/** Who is told of what happens on the road of a call. */
export function gatewayEvents(telemetry: Telemetry): GatewayEvents {
  const { log } = telemetry;
  return {
    onSettled: telemetry.modelCallSettled,
    onAttemptFailed: (call, failed) => telemetry.attemptFailed(call.requestId, failed.target, failed.error),
    onHedged: ({ requestId, route }, target) => telemetry.hedged({ requestId, route, target }),
    onBreaker: (target, state) => telemetry.breakerChanged({ target, state }),
    onFleet: ({ provider, origins }) => log.info('fleet_changed', { provider, origins }),
    onFleetProblem: (provider, error) => telemetry.discoveryFailed({ provider, error }),
    onPlace: (place, answers, error) => log.warn('place_checked', { place, answers, error }),
    onRefused: (refused, call) => telemetry.limitRefused(limitEvent(refused, call)),
    onShadow: (refused, call) => telemetry.limitShadowed(limitEvent(refused, call)),
    onCountersDown: (error) => telemetry.storeDown({ store: 'counters', error }),
    onCache: (event) => {
      if (event.type === 'not_kept') return;
      const outcome = event.type === 'kept' ? 'stored' : event.type;
      telemetry.cacheLooked({ kind: 'exact', level: event.type === 'hit' ? LEVELS[event.level] : 'memory', outcome });
    },
    onBatch: telemetry.embedBatched,
    onUncarried: ({ requestId }, target, parameters) => telemetry.uncarriedDropped({ requestId, target, parameters }),
  };
}

/** The levels of the answer cache as telemetry names them. */
const LEVELS = { memory: 'memory', shared: 'redis', joined: 'flight' } as const;

function limitEvent(
  { scope, name, counts }: LimitRefusal,
  call: Parameters<GatewayEvents['onRefused']>[1],
): Parameters<Telemetry['limitRefused']>[0] {
  return { requestId: call?.requestId ?? '', scope, id: name, measure: counts };
}
