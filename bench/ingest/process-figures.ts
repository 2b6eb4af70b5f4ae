import { readFileSync } from 'node:fs';

const MS_PER_TICK = 10;

/** CPU that a process has used in all its threads, in milliseconds (Linux). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The most memory that a process has held at once, in megabytes (Linux). */
export function peakMegabytes(pid: number): number {
  return statusMegabytes(pid, 'VmHWM');
}

/** The memory that a process holds now, in megabytes (Linux). */
export function memoryMegabytes(pid: number): number {
  return statusMegabytes(pid, 'VmRSS');
}

function statusMegabytes(pid: number, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${field}:`));
  return Math.round((Number(/\d+/.exec(line ?? '')?.[0] ?? 0) * 1024) / 1e6);
}
