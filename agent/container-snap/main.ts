import { runProgram } from './run-program.ts'

// No await here: the program is bundled as CommonJS, which loads what it needs when it needs it and so starts sooner.
void runProgram({
  registriesConf: process.env['CONTAINERS_REGISTRIES_CONF'] || undefined,
  askedBy: process.env['CONTAINER_SNAP_ASKED_BY'],
  sudoUser: process.env['SUDO_USER'],
}).then((status) => process.exit(status))
