import { readFileSync } from 'node:fs';

const MS_PER_TICK = 10;

/** CPU that a process has used in all its threads, in milliseconds (Linux). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The most memory that a process has held at once, in megabytes (Linux). */
export function peakMegabytes(pid: number | 'self'): number {
  const kibibytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kibibytes ?? 0) * 1024) / 1e6);
}
