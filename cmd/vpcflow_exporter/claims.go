package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vpcflow/vpcflow_exporter/collector/claim"
)

// openClaims makes the pipeline claim files in the name of its state, if the configuration says where.
func (a *app) openClaims(config Config, cloud aws.Config) error {
	if config.Claim.Bucket == "" {
		return nil
	}
	owner, err := a.state.Owner()
	if err != nil {
		return err
	}
	client := newS3Client(cloud, queueRegion(config.SQS.QueueURL))
	claims := claim.New(claim.Config{Bucket: config.Claim.Bucket, Prefix: config.Claim.Prefix, Owner: owner},
		func(region string) claim.API { return client(region) }, a.logger.With("component", "claim"), a.registry)
	a.pipeline.SetClaims(claims)
	a.logger.Info("Claiming files", "location", claims.Location(), "owner", owner)
	return nil
}
