from rota.entrypoints.cli.app import main

main()
