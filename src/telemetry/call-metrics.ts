import { Counter, Histogram, type Registry } from 'prom-client';

/** A count of one label set; adding to it is one addition. */
export interface Count {
  value: number;
}

/** A histogram of one label set. */
export interface Spread {
  observe(value: number): void;
}

/** The label set's values in the order of the label names. */
type Labels = readonly string[];

/**
 * A counter whose label sets are handles: prom-client makes and hashes an object of labels at every increment,
 * which costs more than the call it counts. The registry reads the handles when it is asked.
 */
export function createCallCounter(
  registry: Registry,
  options: { name: string; help: string; labelNames: readonly string[] },
): (labels: Labels) => Count {
  const counts: { labels: Record<string, string>; count: Count }[] = [];
  const counter = new Counter({ ...options, labelNames: [...options.labelNames], registers: [registry] });
  const describe = counter.get.bind(counter);
  counter.get = async () => ({
    ...(await describe()),
    values: counts.map(({ labels, count }) => ({ labels, value: count.value })),
  });
  return (values) => {
    const count = { value: 0 };
    counts.push({ labels: named(options.labelNames, values), count });
    return count;
  };
}

/** A histogram in the same manner. Buckets are upper bounds in rising order. */
export function createCallHistogram(
  registry: Registry,
  options: { name: string; help: string; labelNames: readonly string[]; buckets: readonly number[] },
): (labels: Labels) => Spread {
  const { name, buckets } = options;
  const spreads: { labels: Record<string, string>; counts: number[]; sum: () => number }[] = [];
  const labelNames = [...options.labelNames];
  // The registry asks prom-client's own histograms past their public verb; a counter's verb it does ask.
  const shape = new Histogram({ ...options, labelNames, buckets: [...buckets], registers: [] });
  const metric = new Counter({ name, help: options.help, labelNames, registers: [registry] });
  metric.get = async () => ({
    ...(await shape.get()),
    values: spreads.flatMap(({ labels, counts, sum }) => {
      let below = 0;
      const values = [...buckets, '+Inf'].map((le, index) => {
        below += counts[index] ?? 0;
        return { labels: { le, ...labels }, value: below, metricName: `${name}_bucket`, exemplar: null };
      });
      return [
        ...values,
        { labels, value: sum(), metricName: `${name}_sum`, exemplar: null },
        { labels, value: below, metricName: `${name}_count`, exemplar: null },
      ];
    }),
  });
  return (values) => {
    const counts = Array.from({ length: buckets.length + 1 }, () => 0);
    let sum = 0;
    spreads.push({ labels: named(options.labelNames, values), counts, sum: () => sum });
    return {
      observe: (value) => {
        let index = 0;
        while (index < buckets.length && value > (buckets[index] ?? Infinity)) index++;
        counts[index] = (counts[index] ?? 0) + 1;
        sum += value;
      },
    };
  };
}

function named(names: readonly string[], values: Labels): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}
