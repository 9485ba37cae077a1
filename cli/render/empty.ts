type Kind = 'host' | 'fleet' | 'rollout' | 'wave' | 'source' | 'request'

/** What a list says that has nothing in it, for stderr: why that may be, and what to do next. */
export function emptySentence(kind: Kind, { fleet, isChosen }: { fleet: string; isChosen: boolean }): string {
  if (isChosen) return `no ${kind}s match -l${ofFleet(fleet)}; without -l "bootfleet get ${kind}s" lists all`
  if (fleet !== '' && kind !== 'source' && kind !== 'request') {
    return `no ${kind}s${ofFleet(fleet)} that you may see; "bootfleet get fleets" lists the fleets`
  }
  return `no ${kind}s that you may see${whatNext(kind)}`
}

function ofFleet(fleet: string): string {
  return fleet === '' ? '' : ` of fleet ${fleet}`
}

function whatNext(kind: Kind): string {
  switch (kind) {
    case 'host':
      return '; "bootfleet enrol token create" makes a token with which hosts ask to join'
    case 'fleet':
      return '; git declares them: "bootfleet get sources" says which commit is in force'
    case 'rollout':
    case 'wave':
      return '; a rollout begins when git wants what a fleet does not run: "bootfleet status" says where it is'
    case 'source':
      return '; the configuration of the controller names them'
    case 'request':
      return '; hosts ask with a token that "bootfleet enrol token create" makes'
  }
}
