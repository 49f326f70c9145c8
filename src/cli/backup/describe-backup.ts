import type { BackupFailure } from '../../operations/backup/unpack.ts'

/** Why a backup is not restored, in words. */
export function describeBackupFailure(failure: BackupFailure): string {
  switch (failure.reason) {
    case 'archive_malformed':
      return 'it is no archive that backup made, or was damaged'
    case 'archive_truncated':
      return 'it ends in the middle: copy it again, whole'
    case 'backup_foreign':
      return 'it is an archive, and none that backup made'
    case 'backup_damaged':
      return `${failure.path} in it is not what was backed up: use another copy`
    case 'backup_of_newer_version':
      return `it was made by a newer version (${failure.version}): restore it with that`
    case 'backup_differs':
      return `these tables are not what was backed up: ${failure.tables.join(', ')}`
  }
}
