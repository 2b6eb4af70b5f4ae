/**
 * Tests that wait out real clocks (leases, idle timeouts) for many seconds run where somebody has the patience:
 * with SEKISHO_PATIENT_TESTS=1, as `.ci/run` sets it.
 */
export const isPatient = process.env['SEKISHO_PATIENT_TESTS'] === '1';
