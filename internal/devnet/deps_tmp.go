package devnet
import (
 _ "github.com/ethereum/go-ethereum/ethclient/simulated"
 _ "github.com/ethereum/go-ethereum/accounts/keystore"
 _ "github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
 _ "github.com/swaggest/swgui/v5emb"
 _ "github.com/danielgtaylor/huma/v2/adapters/humachi"
 _ "github.com/riverqueue/river/rivermigrate"
 _ "github.com/riverqueue/river/riverdriver/riverpgxv5"
 _ "github.com/jackc/pgx/v5/stdlib"
 _ "github.com/pressly/goose/v3/lock"
 _ "github.com/fergusstrange/embedded-postgres"
 _ "github.com/alecthomas/kong"
 _ "github.com/goccy/go-yaml"
 _ "github.com/caarlos0/env/v11"
)
